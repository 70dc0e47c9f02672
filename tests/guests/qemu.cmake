if(TARGET berth_machine_qemu)
  berth_test(qemu_guest_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/qemu/adoption_test.cpp ${CMAKE_CURRENT_LIST_DIR}/qemu/life_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/qemu/start_test.cpp
    DEPENDS berth_machine_qemu berth_host berth_boost LABELS guests TIMEOUT 600)
endif()
