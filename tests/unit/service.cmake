# `berth service`: what it writes, read by the readers of others, and what it asks of launchctl and systemctl.
set(folder ${CMAKE_CURRENT_LIST_DIR}/service)
berth_test(service_test
  SOURCES ${folder}/hands_test.cpp ${folder}/launchd_test.cpp ${folder}/property_list_test.cpp ${folder}/stand_in.cpp
          ${folder}/systemd_test.cpp ${folder}/upgrade_test.cpp
  DEPENDS berth_cli CLI11::CLI11 PkgConfig::PLIST
  LABELS unit
  TIMEOUT 60)
