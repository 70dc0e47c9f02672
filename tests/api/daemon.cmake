# The daemon as clients see it: every request and every answer is judged by openapi.yaml.
set(folder ${CMAKE_CURRENT_LIST_DIR}/daemon)
berth_test(daemon_api_test
  SOURCES ${folder}/vm_test.cpp ${folder}/import_test.cpp ${folder}/power_test.cpp ${folder}/ledger_test.cpp ${folder}/operation_test.cpp ${folder}/event_test.cpp
          ${folder}/image_test.cpp ${folder}/download_test.cpp ${folder}/device_test.cpp ${folder}/farewell_test.cpp
          ${folder}/storage_test.cpp ${folder}/recovery_test.cpp ${folder}/snapshot_test.cpp ${folder}/coverage_test.cpp
  DEPENDS berth_test_daemon berth_test_foreign
  LABELS api TIMEOUT 240)
berth_test(race_test SOURCES ${folder}/race_test.cpp DEPENDS berth_test_daemon LABELS api TIMEOUT 120)
