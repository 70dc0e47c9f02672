berth_test(fakes_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/fakes/fake_driver_test.cpp DEPENDS berth_test_fakes LABELS unit)
