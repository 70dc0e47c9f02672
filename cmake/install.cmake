# Where everything goes, by the GNU layout, and the Debian package that CPack makes of it. The rules are all here.
if(NOT TARGET berth OR NOT TARGET berthd)
  return() # a part alone: see BERTH_WITHOUT
endif()
include(GNUInstallDirs)
set(generated ${CMAKE_BINARY_DIR}/packaging)
file(MAKE_DIRECTORY ${generated})

install(TARGETS berth DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS berthd DESTINATION ${CMAKE_INSTALL_SBINDIR})
# Not lib/: berthd looks in ../libexec/berth, and nobody calls it by hand.
if(TARGET berth-machine)
  install(TARGETS berth-machine DESTINATION libexec/berth)
endif()

# Man pages and completions from the trees of options that --help is printed from.
add_executable(man_pages packaging/man_pages.cpp daemon/options.cpp)
target_link_libraries(man_pages PRIVATE berth_options berth_cli CLI11::CLI11)
target_compile_definitions(man_pages PRIVATE BERTH_VERSION="${PROJECT_VERSION}")
set(made)
function(berth_generate file)
  add_custom_command(OUTPUT ${generated}/${file} COMMAND ${ARGN} > ${generated}/${file} DEPENDS ${ARGV1} VERBATIM)
  set(made ${made} ${generated}/${file} PARENT_SCOPE)
endfunction()
berth_generate(berth.1 man_pages berth)
berth_generate(berthd.8 man_pages berthd)
berth_generate(berth.bash berth completion bash)
berth_generate(_berth berth completion zsh)
berth_generate(berth.fish berth completion fish)
add_custom_target(packaging_texts ALL DEPENDS ${made})
install(FILES ${generated}/berth.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${generated}/berthd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES ${generated}/berth.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME berth)
install(FILES ${generated}/_berth DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${generated}/berth.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

install(FILES LICENSE packaging/THIRD-PARTY-NOTICES.md README.md SPECIFICATION.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/berth)
install(FILES openapi.yaml DESTINATION ${CMAKE_INSTALL_DATADIR}/berth)
install(DIRECTORY launchd/ DESTINATION ${CMAKE_INSTALL_DATADIR}/berth/launchd)

# Units and configuration name the prefix, which CPack and --prefix choose later: they are made when they are installed.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  install(CODE "set(BERTH_SOURCE_DIR \"${CMAKE_SOURCE_DIR}\")\nset(BERTH_GENERATED_DIR \"${generated}\")")
  install(SCRIPT packaging/install_units.cmake)
endif()

if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  include(packaging/debian.cmake)
endif()
