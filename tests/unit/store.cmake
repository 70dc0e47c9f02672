berth_test(store_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/store/codec_test.cpp ${CMAKE_CURRENT_LIST_DIR}/store/store_commit_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/store/store_fault_test.cpp ${CMAKE_CURRENT_LIST_DIR}/store/store_journal_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/store/store_kill_test.cpp ${CMAKE_CURRENT_LIST_DIR}/store/store_open_test.cpp
  DEPENDS berth_store berth_test_fakes
  LABELS unit)
