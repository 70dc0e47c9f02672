# Toolchain: C++ for macOS 14 on Apple silicon, compiled on Linux with what scripts/cross-tools has made.
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(BERTH_CROSS_TOOLS "${CMAKE_CURRENT_LIST_DIR}/../build-cross/tools" CACHE PATH "Folder that scripts/cross-tools has made")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BERTH_CROSS_TOOLS)

if(NOT EXISTS ${BERTH_CROSS_TOOLS}/clang++)
  message(FATAL_ERROR "There is no compiler for macOS in ${BERTH_CROSS_TOOLS}: run ./dev cross")
endif()
set(CMAKE_CXX_COMPILER ${BERTH_CROSS_TOOLS}/clang++)
set(CMAKE_AR ${BERTH_CROSS_TOOLS}/ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${BERTH_CROSS_TOOLS}/ranlib CACHE FILEPATH "")
# CMake asks for it on behalf of installed shared libraries, of which there are none.
find_program(CMAKE_INSTALL_NAME_TOOL NAMES llvm-install-name-tool-19 llvm-install-name-tool)
# The target is in the compiler's own command line; there is no SDK.
set(CMAKE_OSX_SYSROOT "")
set(CMAKE_OSX_DEPLOYMENT_TARGET "")
set(CMAKE_OSX_ARCHITECTURES "")
# Zig turns checks on that need its own run time, and the function std::unexpected(), which C++17 has removed and
# std::unexpected of C++23 cannot live with (both in 0.15).
set(CMAKE_CXX_FLAGS_INIT "-fno-sanitize=all -U_LIBCPP_ENABLE_CXX17_REMOVED_UNEXPECTED_FUNCTIONS")

# Nothing of the building host is found by accident: libraries-cross.cmake names all there is.
set(CMAKE_FIND_ROOT_PATH ${BERTH_CROSS_TOOLS})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
