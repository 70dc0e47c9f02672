# A whole daemon in the test process, with the fake driver in it.
add_library(berth_test_daemon STATIC ${CMAKE_CURRENT_LIST_DIR}/test_daemon.cpp)
target_link_libraries(berth_test_daemon
  PUBLIC berth_options berth_test_support berth_test_fakes berth_api nlohmann_json::nlohmann_json
  PRIVATE GTest::gtest)
target_compile_definitions(berth_test_daemon PRIVATE BERTH_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
