berth_fuzz(http_request SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_request_fuzz.cpp DEPENDS berth_http)
berth_fuzz(json_reader SOURCES ${CMAKE_CURRENT_LIST_DIR}/json_reader_fuzz.cpp DEPENDS berth_http)
