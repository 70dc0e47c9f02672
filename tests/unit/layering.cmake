berth_test(layering_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/layering_test.cpp LABELS unit)
