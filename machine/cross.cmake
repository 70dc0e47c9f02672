# berth-machine for a Mac without a Mac: Apple's headers are the generated ones (held to macOS 14 by their availability) and
# what cross/include declares of Foundation and Security; the frameworks are text stubs, as the other libraries are.
find_program(BERTH_PYTHON NAMES python3 REQUIRED NO_CMAKE_FIND_ROOT_PATH)
set(CMAKE_OBJCXX_COMPILER ${CMAKE_CXX_COMPILER})
set(CMAKE_OBJCXX_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
set(CMAKE_OBJCXX_FLAGS_INIT "${CMAKE_CXX_FLAGS_INIT}")
set(CMAKE_OBJCXX_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")
set(CMAKE_OBJCXX_STANDARD 23)
set(CMAKE_OBJCXX_STANDARD_REQUIRED ON)
set(CMAKE_OBJCXX_EXTENSIONS OFF)
enable_language(OBJCXX)

set(lookalike ${CMAKE_CURRENT_SOURCE_DIR}/lookalike)
set(tables ${lookalike}/virtualization-api.tsv ${lookalike}/virtualization-extra.tsv)
set(header ${CMAKE_CURRENT_BINARY_DIR}/include/Virtualization/Virtualization.h)
file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/include/Virtualization)
add_custom_command(OUTPUT ${header}
  COMMAND ${BERTH_PYTHON} ${lookalike}/generate_headers --availability ${header} ${lookalike}/declarations.txt ${tables}
  DEPENDS ${lookalike}/generate_headers ${lookalike}/declarations.txt ${tables} VERBATIM)

add_executable(berth-machine main.cpp run_command.cpp objc.mm platform.mm platform_macos.mm vz_configuration.mm vz_core.mm
  vz_devices.mm vz_error.mm vz_machine.mm vz_observer.mm vz_queries.mm ${header})
target_include_directories(berth-machine SYSTEM PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/cross/include ${CMAKE_CURRENT_BINARY_DIR}/include)
target_compile_options(berth-machine PRIVATE $<$<COMPILE_LANGUAGE:OBJCXX>:-fblocks -fno-objc-arc -Wunguarded-availability>)
target_link_libraries(berth-machine PRIVATE berth_options berth_machine_parts berth_host)
foreach(stub CoreFoundation Foundation Security Virtualization libobjc)
  target_link_libraries(berth-machine PRIVATE ${CMAKE_SOURCE_DIR}/cmake/stubs/${stub}.tbd)
endforeach()
