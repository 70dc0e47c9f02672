berth_test(core_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/core/admission_model_test.cpp ${CMAKE_CURRENT_LIST_DIR}/core/admission_queue_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/core/admission_test.cpp ${CMAKE_CURRENT_LIST_DIR}/core/devices_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/core/error_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/core/operation_test.cpp ${CMAKE_CURRENT_LIST_DIR}/core/values_test.cpp
          ${CMAKE_CURRENT_LIST_DIR}/core/vm_state_test.cpp ${CMAKE_CURRENT_LIST_DIR}/core/vm_test.cpp
  DEPENDS berth_core
  LABELS unit)
