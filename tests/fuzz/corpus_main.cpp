// Runs a fuzz target over every file of the folders given, without libFuzzer. Fails when there is no file.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** arguments) {
  std::size_t files = 0;
  for (int index = 1; index < count; ++index) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(arguments[index], error)) {
      std::ifstream file{entry.path(), std::ios::binary};
      const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
      // A copy of the exact size, so that a sanitizer sees one byte beyond.
      const std::string exact(bytes.begin(), bytes.end());
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(exact.data()), exact.size());
      // Every shorter beginning too: parsers meet torn input.
      for (std::size_t size = 0; size < exact.size() && size < 512; ++size) {
        const std::string torn = exact.substr(0, size);
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(torn.data()), torn.size());
      }
      ++files;
    }
  }
  std::printf("%zu corpus files\n", files);
  return files == 0 ? 1 : 0;
}
