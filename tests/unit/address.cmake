set(address_sources
  ${CMAKE_CURRENT_LIST_DIR}/address/address_book_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/address/arp_dump_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/address/dhcpd_leases_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/address/dnsmasq_leases_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/address/ip_address_test.cpp)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  list(APPEND address_sources
    ${CMAKE_CURRENT_LIST_DIR}/address/lease_file_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/address/nat_plan_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/address/neighbour_message_test.cpp)
endif()
berth_test(address_test SOURCES ${address_sources} DEPENDS berth_address LABELS unit)
