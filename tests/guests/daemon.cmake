# The real berthd with real guests, over its socket: killed at every step, and looked at from outside.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND TARGET berthd)
  set(folder ${CMAKE_CURRENT_LIST_DIR}/daemon)
  add_library(berth_test_harbour STATIC ${folder}/daemon_process.cpp ${folder}/harbour_fixture.cpp ${folder}/law.cpp)
  target_link_libraries(berth_test_harbour PUBLIC berth_test_support berth_runtime GTest::gtest nlohmann_json::nlohmann_json)
  target_compile_definitions(berth_test_harbour PRIVATE BERTH_SOURCE_DIR="${CMAKE_SOURCE_DIR}" BERTH_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_dependencies(berth_test_harbour berthd)
  berth_test(crash_test
    SOURCES ${folder}/crash_point_test.cpp ${folder}/random_kill_test.cpp
    DEPENDS berth_test_harbour berth_test_fakes LABELS guests TIMEOUT 300)
  berth_test(daemon_guest_test
    SOURCES ${folder}/guest_life_test.cpp ${folder}/start_up_test.cpp ${folder}/nat_test.cpp
    DEPENDS berth_test_harbour PkgConfig::SQLITE LABELS guests TIMEOUT 300)
  # Zip: the tests write restore images of their own.
  if(TARGET berth-machine)
    berth_test(macos_guest_test
      SOURCES ${folder}/macos_device_test.cpp ${folder}/macos_fault_test.cpp ${folder}/macos_life_test.cpp ${folder}/import_test.cpp
              ${CMAKE_CURRENT_LIST_DIR}/../machine/lookalike/sample_image.cpp
      DEPENDS berth_test_harbour berth_test_foreign zip LABELS guests TIMEOUT 300)
    add_dependencies(macos_guest_test berth-machine)
    berth_test(macos_race_test
      SOURCES ${folder}/macos_race_test.cpp ${CMAKE_CURRENT_LIST_DIR}/../machine/lookalike/sample_image.cpp
      DEPENDS berth_test_harbour zip LABELS guests TIMEOUT 300)
    # It takes every processor for a minute: nobody's deadlines are to be measured beside it.
    set_tests_properties(macos_race_test PROPERTIES RUN_SERIAL ON)
  endif()
endif()
