if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  berth_test(process_test
    SOURCES
      ${CMAKE_CURRENT_LIST_DIR}/process/child_process_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/process/process_identity_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/process/small_file_test.cpp
    DEPENDS berth_host
    LABELS unit)
endif()
