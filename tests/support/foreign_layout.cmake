# VMs as other tools keep them.
add_library(berth_test_foreign STATIC ${CMAKE_CURRENT_LIST_DIR}/foreign_layout.cpp)
target_link_libraries(berth_test_foreign
  PUBLIC berth_options berth_foreign
  PRIVATE PkgConfig::PLIST nlohmann_json::nlohmann_json)
