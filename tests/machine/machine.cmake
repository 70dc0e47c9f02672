if(TARGET berth_machine_parts)
  set(parts ${CMAKE_CURRENT_LIST_DIR}/parts)
  berth_test(machine_parts_test
    SOURCES ${parts}/bundle_locks_test.cpp ${parts}/console_test.cpp ${parts}/error_table_test.cpp
            ${parts}/machine_host_test.cpp ${parts}/rpc_message_test.cpp ${parts}/rpc_server_test.cpp ${parts}/spec_test.cpp
    DEPENDS berth_machine_parts nlohmann_json::nlohmann_json LABELS machine)
endif()
