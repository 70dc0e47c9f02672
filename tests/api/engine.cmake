berth_test(http_engine_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/engine/engine_harness.cpp ${CMAKE_CURRENT_LIST_DIR}/engine/framing_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/engine/connection_test.cpp ${CMAKE_CURRENT_LIST_DIR}/engine/limits_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/engine/listener_test.cpp ${CMAKE_CURRENT_LIST_DIR}/engine/stream_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/engine/websocket_test.cpp ${CMAKE_CURRENT_LIST_DIR}/engine/tcp_test.cpp
  DEPENDS berth_http
  LABELS api
  TIMEOUT 120)
# The server that listener_test starts with inherited sockets.
add_executable(http_engine_inherited ${CMAKE_CURRENT_LIST_DIR}/engine/inherited_main.cpp)
target_link_libraries(http_engine_inherited PRIVATE berth_options berth_http)
add_dependencies(http_engine_test http_engine_inherited)
