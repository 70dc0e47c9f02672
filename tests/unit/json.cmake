berth_test(json_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/json/json_reader_test.cpp ${CMAKE_CURRENT_LIST_DIR}/json/json_writer_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/json/problem_test.cpp ${CMAKE_CURRENT_LIST_DIR}/json/router_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/json/request_test.cpp
  DEPENDS berth_http
  LABELS unit)
