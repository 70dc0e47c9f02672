if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND TARGET berth_address)
  berth_test(address_guest_test
    SOURCES
      ${CMAKE_CURRENT_LIST_DIR}/address/nat_network_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/address/neighbour_table_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/address/sandbox.cpp
    DEPENDS berth_address
    LABELS guests
    TIMEOUT 180)
endif()
