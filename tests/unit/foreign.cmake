# VMs of other tools.
berth_test(foreign_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/foreign/recognise_test.cpp ${CMAKE_CURRENT_LIST_DIR}/foreign/hostile_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/foreign/settings_test.cpp
  DEPENDS berth_foreign berth_test_foreign
  LABELS unit)
