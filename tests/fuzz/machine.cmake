if(TARGET berth_machine_parts)
  berth_fuzz(machine_json SOURCES ${CMAKE_CURRENT_LIST_DIR}/machine_json_fuzz.cpp DEPENDS berth_machine_parts)
endif()
