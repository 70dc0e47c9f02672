if(TARGET berth_virtualization)
  berth_test(lookalike_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/lookalike/configuration_test.mm ${CMAKE_CURRENT_LIST_DIR}/lookalike/faults_test.mm
            ${CMAKE_CURRENT_LIST_DIR}/lookalike/guests_test.mm ${CMAKE_CURRENT_LIST_DIR}/lookalike/harness.mm
            ${CMAKE_CURRENT_LIST_DIR}/lookalike/installer_test.mm ${CMAKE_CURRENT_LIST_DIR}/lookalike/locks_test.mm
            ${CMAKE_CURRENT_LIST_DIR}/lookalike/sample_image.cpp ${CMAKE_CURRENT_LIST_DIR}/lookalike/saved_state_test.mm
            ${CMAKE_CURRENT_LIST_DIR}/lookalike/states_test.mm ${CMAKE_CURRENT_LIST_DIR}/lookalike/values_test.mm
    DEPENDS $<LINK_LIBRARY:WHOLE_ARCHIVE,berth_virtualization> ${BERTH_ZIP}
    LABELS machine)
endif()
