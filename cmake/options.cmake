# Compiler options of every target.
add_library(berth_options INTERFACE)
target_include_directories(berth_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)
target_compile_options(berth_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(berth_options INTERFACE -Werror=switch -Wno-missing-field-initializers)
endif()

# Options that must be the same in objects and at link time.
if(BERTH_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(BERTH_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
endif()
if(BERTH_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
# What nobody calls is left out of a release: it would cost memory in every page that something else is in.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # A daemon waits most of its life: what it has in memory then counts more than the last tenth of its speed. Where every
  # request comes through, berth_fast() says otherwise.
  string(REPLACE "-O3" "-Os" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
  add_compile_options(-ffunction-sections -fdata-sections)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    add_link_options(-Wl,--gc-sections -Wl,--icf=safe -Wl,--as-needed)
  else()
    add_link_options(-Wl,-dead_strip)
  endif()
endif()
find_program(BERTH_LLD NAMES ld.lld-19 ld.lld)
if(BERTH_LLD AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
  add_link_options(-fuse-ld=lld)
endif()

# berth_library(name DEPENDS a b …): the sources of this folder, and what it may use.
function(berth_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC berth_options ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
endfunction()

# Of a library whose code every request runs through.
function(berth_fast name)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O2>)
endfunction()

# Precompiled headers that ccache can tell apart by content; ./dev sets its sloppiness to match.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options("SHELL:$<$<COMPILE_LANGUAGE:CXX>:-Xclang -fno-pch-timestamp>")
endif()

# Steps at which a test may kill the daemon; never in a release.
option(BERTH_CRASH_POINTS "Compile the crash points in" ON)
if(BERTH_CRASH_POINTS)
  add_compile_definitions(BERTH_CRASH_POINTS)
endif()
