# Finds what Objective-C++ needs on Linux and enables the language, which CMake wants done in the top folder.
# Sets BERTH_HAS_LOOKALIKE: whether machine/lookalike, and so berth-machine and the driver `vz`, can be built here.
set(BERTH_HAS_LOOKALIKE OFF)
if(APPLE)
  enable_language(OBJCXX)
  return()
endif()

find_path(BERTH_GNUSTEP_INCLUDE Foundation/NSProgress.h PATHS /usr/include/GNUstep /usr/local/include/GNUstep)
find_library(BERTH_GNUSTEP_BASE gnustep-base)
find_path(BERTH_BLOCKS_INCLUDE Block.h)
find_library(BERTH_BLOCKS_RUNTIME BlocksRuntime)
find_library(BERTH_OBJC objc PATHS /usr/lib/gcc/${CMAKE_LIBRARY_ARCHITECTURE}/12 /usr/lib/gcc/x86_64-linux-gnu/12
             /usr/lib/gcc/aarch64-linux-gnu/12)
# libobjc's headers lie among GCC's own: -idirafter, lest its stddef.h and the like come before clang's.
find_path(BERTH_OBJC_INCLUDE objc/objc.h PATHS /usr/lib/gcc/x86_64-linux-gnu/12/include /usr/lib/gcc/aarch64-linux-gnu/12/include)
find_program(BERTH_OBJCXX NAMES clang++-19 clang++)
find_package(fmt QUIET)
find_library(BERTH_ZIP zip)
find_package(Python3 QUIET COMPONENTS Interpreter)

if(BERTH_SANITIZE STREQUAL "thread")
  # libobjc and GNUstep are not built for ThreadSanitizer, and it would report their locks rather than ours.
  message(STATUS "No driver vz: the Objective-C runtime is not for ThreadSanitizer")
elseif(BERTH_GNUSTEP_INCLUDE AND BERTH_GNUSTEP_BASE AND BERTH_BLOCKS_INCLUDE AND BERTH_BLOCKS_RUNTIME AND BERTH_OBJC
       AND BERTH_OBJC_INCLUDE AND BERTH_OBJCXX AND Python3_FOUND AND fmt_FOUND AND BERTH_ZIP)
  set(CMAKE_OBJCXX_COMPILER ${BERTH_OBJCXX} CACHE FILEPATH "The compiler of Objective-C++, by its full path")
  set(CMAKE_OBJCXX_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
  enable_language(OBJCXX)
  set(BERTH_HAS_LOOKALIKE ON)
  set(CMAKE_OBJCXX_STANDARD 23)
  set(CMAKE_OBJCXX_STANDARD_REQUIRED ON)
  set(CMAKE_OBJCXX_EXTENSIONS OFF)
  foreach(kind DEBUG RELWITHDEBINFO RELEASE)
    set(CMAKE_OBJCXX_FLAGS_${kind} "${CMAKE_CXX_FLAGS_${kind}}")
  endforeach()
else()
  message(STATUS "No driver vz: it needs libgnustep-base-dev, gobjc, libblocksruntime-dev, libfmt-dev, libzip-dev, clang and python3")
endif()
