if(COMMAND berth_fuzz)
  berth_fuzz(property_list SOURCES ${CMAKE_CURRENT_LIST_DIR}/property_list_fuzz.cpp DEPENDS berth_bundle)
  berth_fuzz(description SOURCES ${CMAKE_CURRENT_LIST_DIR}/description_fuzz.cpp DEPENDS berth_bundle)
endif()
