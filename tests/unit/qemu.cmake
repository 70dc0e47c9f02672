if(TARGET berth_machine_qemu)
  berth_test(qemu_unit_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/qemu/arguments_test.cpp ${CMAKE_CURRENT_LIST_DIR}/qemu/console_log_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/qemu/process_test.cpp ${CMAKE_CURRENT_LIST_DIR}/qemu/qmp_client_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/qemu/qmp_codec_test.cpp
    DEPENDS berth_machine_qemu berth_boost LABELS unit)
endif()
