# cmake -DINPUT=openapi.yaml -DOUTPUT=x.cpp -P embed.cmake: a text file as a function of C++, in chunks that every
# compiler takes as a literal.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "// Made from openapi.yaml by cmake/embed.cmake.\n#include \"api/openapi_text.hpp\"\n\nnamespace berth::api {\n\nstd::string_view openapi_text() {\n  static constexpr unsigned char bytes[] = {${bytes}};\n  return {reinterpret_cast<const char*>(bytes), sizeof bytes};\n}\n\n} // namespace berth::api\n")
