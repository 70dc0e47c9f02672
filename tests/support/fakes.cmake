# What tests put in the place of the host: a manual clock, pretended machines, a disk that fails.
add_library(berth_test_fakes STATIC
  ${CMAKE_CURRENT_LIST_DIR}/fake_driver.cpp ${CMAKE_CURRENT_LIST_DIR}/fake_host.cpp ${CMAKE_CURRENT_LIST_DIR}/fake_machine.cpp
  ${CMAKE_CURRENT_LIST_DIR}/faulty_vfs.cpp ${CMAKE_CURRENT_LIST_DIR}/http_file_server.cpp ${CMAKE_CURRENT_LIST_DIR}/manual_loop.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sample_restore_image.cpp)
target_link_libraries(berth_test_fakes
  PUBLIC berth_options berth_core berth_runtime berth_machine berth_bundle
  PRIVATE PkgConfig::SQLITE)
