// berth: the command line.
#include <clocale>
#include <iostream>

#include "client/command_line.hpp"

int main(int argument_count, char** arguments) {
  std::setlocale(LC_CTYPE, "");
  berth::cli::CommandLine command_line;
  return command_line.run(argument_count, arguments, std::cout, std::cerr);
}
