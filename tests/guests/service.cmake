# `berth service` with the real programs and a stand-in for launchd.
find_program(BERTH_PYTHON NAMES python3)
if(BERTH_PYTHON AND CMAKE_SYSTEM_NAME STREQUAL "Linux" AND TARGET berthd AND TARGET berth)
  add_test(NAME service_guest_test
    COMMAND ${BERTH_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/service/service_test.py ${CMAKE_BINARY_DIR})
  set_tests_properties(service_guest_test PROPERTIES TIMEOUT 300 LABELS guests ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endif()
