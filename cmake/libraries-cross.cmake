# The libraries of libraries.cmake for a build without a Mac: headers of this host, and a text stub (.tbd) for each library
# that only a Mac has. A stub names the library as Homebrew or macOS does and lists exactly the symbols that berth calls, so
# that one more is an error of the linker.
function(berth_cross_library target)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE ${BERTH_CROSS_TOOLS}/include)
  foreach(stub ${ARGN})
    target_link_libraries(${target} INTERFACE ${CMAKE_SOURCE_DIR}/cmake/stubs/${stub}.tbd)
  endforeach()
endfunction()

add_library(Threads::Threads INTERFACE IMPORTED GLOBAL) # part of libSystem
berth_cross_library(Boost::headers)
# Boost 1.81 uses std::aligned_storage, which C++23 deprecates and Clang reports from within its headers.
target_compile_definitions(Boost::headers INTERFACE _LIBCPP_DISABLE_DEPRECATION_WARNINGS)
berth_cross_library(nlohmann_json::nlohmann_json)
berth_cross_library(CLI11::CLI11)
# Debian compiles these two; they are headers as well.
berth_cross_library(spdlog::spdlog)
target_compile_definitions(spdlog::spdlog INTERFACE SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY=1)
berth_cross_library(PkgConfig::SQLITE libsqlite3)
berth_cross_library(PkgConfig::PLIST libplist)
berth_cross_library(PkgConfig::NETTLE libnettle)
berth_cross_library(PkgConfig::CURL libcurl)
berth_cross_library(PkgConfig::ZIP libzip)
berth_cross_library(yaml-cpp libyaml-cpp)
berth_cross_library(prometheus-cpp::core libprometheus-cpp-core)
add_library(berth_spdlog INTERFACE)
target_link_libraries(berth_spdlog INTERFACE spdlog::spdlog)
