set(client_folder ${CMAKE_CURRENT_LIST_DIR}/client)
berth_test(client_test
  SOURCES ${client_folder}/client_test.cpp ${client_folder}/command_line_test.cpp ${client_folder}/completion_test.cpp
          ${client_folder}/console_test.cpp ${client_folder}/documents_test.cpp ${client_folder}/error_text_test.cpp
          ${client_folder}/escape_filter_test.cpp ${client_folder}/event_stream_test.cpp ${client_folder}/events_test.cpp
          ${client_folder}/fake_daemon.cpp ${client_folder}/format_test.cpp ${client_folder}/progress_test.cpp
          ${client_folder}/socket_test.cpp ${client_folder}/table_test.cpp
  DEPENDS berth_cli berth_client_lib berth_boost nlohmann_json::nlohmann_json CLI11::CLI11 yaml-cpp
  OWN_HEADERS LABELS unit
  TIMEOUT 60)
target_compile_definitions(client_test PRIVATE JSON_USE_IMPLICIT_CONVERSIONS=0)
