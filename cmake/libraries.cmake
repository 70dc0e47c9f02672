# What berth uses from outside, found once. Each is in Debian and in Homebrew; README names the packages.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(PLIST REQUIRED IMPORTED_TARGET libplist-2.0)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp CONFIG QUIET)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  pkg_check_modules(MNL REQUIRED IMPORTED_TARGET libmnl)
endif()

# Boost without its deprecated parts, its exceptions kept inside adapters.
add_library(berth_boost INTERFACE)
target_link_libraries(berth_boost INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(berth_boost INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)
