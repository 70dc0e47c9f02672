berth_test(bundle_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/bundle/bundle_test.cpp ${CMAKE_CURRENT_LIST_DIR}/bundle/description_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/bundle/disk_test.cpp ${CMAKE_CURRENT_LIST_DIR}/bundle/download_test.cpp ${CMAKE_CURRENT_LIST_DIR}/bundle/files_test.cpp ${CMAKE_CURRENT_LIST_DIR}/bundle/identity_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/bundle/property_list_test.cpp ${CMAKE_CURRENT_LIST_DIR}/bundle/restore_image_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/bundle/sha256_test.cpp
  DEPENDS berth_bundle berth_test_fakes
  LABELS unit)
target_compile_definitions(bundle_test PRIVATE BERTH_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
