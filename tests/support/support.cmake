# What API and guest tests share: the contract as a judge, and a client that asks it about every request and answer.
add_library(berth_test_support STATIC
  ${CMAKE_CURRENT_LIST_DIR}/api_client.cpp ${CMAKE_CURRENT_LIST_DIR}/connection.cpp ${CMAKE_CURRENT_LIST_DIR}/console_client.cpp
  ${CMAKE_CURRENT_LIST_DIR}/contract.cpp ${CMAKE_CURRENT_LIST_DIR}/event_reader.cpp ${CMAKE_CURRENT_LIST_DIR}/schema_checker.cpp
  ${CMAKE_CURRENT_LIST_DIR}/yaml_json.cpp)
# berth_runtime and berth_http hold the compiled parts of Asio and Beast.
target_link_libraries(berth_test_support
  PUBLIC berth_options berth_core nlohmann_json::nlohmann_json GTest::gtest
  PRIVATE berth_runtime berth_http berth_boost yaml-cpp)
# Without it valijson ends the process where it would throw.
target_compile_definitions(berth_test_support PRIVATE VALIJSON_USE_EXCEPTIONS=1)

berth_test(contract_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/contract_test.cpp
  DEPENDS berth_test_support berth_core nlohmann_json::nlohmann_json
  LABELS unit)
# valijson is templates throughout: optimized it costs more than the rest of this folder together.
target_compile_options(berth_test_support PRIVATE -O0)
