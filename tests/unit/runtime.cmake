berth_test(runtime_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/runtime/asio_event_loop_test.cpp ${CMAKE_CURRENT_LIST_DIR}/runtime/manual_loop_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/runtime/task_group_test.cpp ${CMAKE_CURRENT_LIST_DIR}/runtime/task_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/runtime/wait_test.cpp
  DEPENDS berth_runtime berth_test_fakes
  LABELS unit)
