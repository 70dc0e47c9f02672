if(TARGET berth_machine_vz AND TARGET berth_machine_parts)
  berth_test(vz_unit_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/vz/host_rules_test.cpp ${CMAKE_CURRENT_LIST_DIR}/vz/spec_file_test.cpp
    DEPENDS berth_machine_vz berth_machine_parts LABELS unit)
endif()
