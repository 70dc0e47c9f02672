if(TARGET berth_machine_qemu)
  berth_fuzz(qmp_codec SOURCES ${CMAKE_CURRENT_LIST_DIR}/qmp_codec_fuzz.cpp DEPENDS berth_machine_qemu)
endif()
