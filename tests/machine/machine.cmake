if(TARGET berth_machine_parts)
  set(parts ${CMAKE_CURRENT_LIST_DIR}/parts)
  berth_test(machine_parts_test
    SOURCES ${parts}/bundle_locks_test.cpp ${parts}/console_test.cpp ${parts}/error_table_test.cpp
            ${parts}/machine_host_end_test.cpp ${parts}/machine_host_test.cpp ${parts}/rpc_message_test.cpp ${parts}/rpc_server_test.cpp ${parts}/spec_test.cpp
    DEPENDS berth_machine_parts nlohmann_json::nlohmann_json LABELS machine)
endif()

# The real berth-machine against the look-alike.
if(TARGET berth-machine AND NOT APPLE)
  set(process ${CMAKE_CURRENT_LIST_DIR}/process)
  berth_test(machine_process_test
    SOURCES ${process}/fault_test.cpp ${process}/install_test.cpp ${process}/life_test.cpp ${process}/machine_process.cpp
            ${process}/question_test.cpp ${process}/simulated_host.cpp ${process}/twin_test.cpp
    DEPENDS berth_core nlohmann_json::nlohmann_json zip LABELS machine TIMEOUT 300)
  add_dependencies(machine_process_test berth-machine)
  target_compile_definitions(machine_process_test PRIVATE BERTH_MACHINE="$<TARGET_FILE:berth-machine>")
endif()

find_package(Python3 QUIET COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME machine_api_table_test COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/api_table_test.py)
  set_tests_properties(machine_api_table_test PROPERTIES TIMEOUT 60 LABELS machine)
endif()
