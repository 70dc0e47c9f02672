# The Debian package of this build: what is in it, and its life on a host that is thrown away afterwards.
find_program(BERTH_PYTHON NAMES python3)
find_program(BERTH_DPKG NAMES dpkg-deb)
if(BERTH_PYTHON AND BERTH_DPKG AND TARGET packaging_texts AND NOT BERTH_SANITIZE AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
  add_test(NAME package_test COMMAND ${BERTH_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/package_test.py ${CMAKE_BINARY_DIR} ${CMAKE_CPACK_COMMAND})
  set_tests_properties(package_test PROPERTIES TIMEOUT 300 LABELS package ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endif()
