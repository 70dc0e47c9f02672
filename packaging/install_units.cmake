# Runs at installation: fills the units of `berth service` for programs beneath CMAKE_INSTALL_PREFIX.
set(BERTHD "${CMAKE_INSTALL_PREFIX}/sbin/berthd")
set(SYSCONFDIR "${CMAKE_INSTALL_PREFIX}/etc")
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(SYSCONFDIR /etc)
endif()
set(templates ${BERTH_SOURCE_DIR}/packaging/systemd)
set(EXIT_TIME_OUT 90) # long enough for any --guests
set(USER "")

# Of the host: members of the group berth may change things.
set(ARGUMENTS "${BERTHD} --config ${SYSCONFDIR}/berth/berthd.conf")
set(TARGET multi-user.target)
set(SOCKET /run/berth/berthd.sock)
set(SOCKET_MODE 0660)
set(DIRECTORY_MODE 0755)
set(GROUP SocketGroup=berth)
configure_file(${templates}/berthd.service ${BERTH_GENERATED_DIR}/system/berthd.service @ONLY)
configure_file(${templates}/berthd.socket ${BERTH_GENERATED_DIR}/system/berthd.socket @ONLY)

# Of a user; %h is the home directory. BERTH_SOCKET's default is the same path.
set(ARGUMENTS "${BERTHD} --state-dir %h/.local/state/berth")
set(TARGET default.target)
set(SOCKET %h/.local/state/berth/run/berthd.sock)
set(SOCKET_MODE 0600)
set(DIRECTORY_MODE 0700)
set(GROUP "")
configure_file(${templates}/berthd.service ${BERTH_GENERATED_DIR}/user/berthd.service @ONLY)
configure_file(${templates}/berthd.socket ${BERTH_GENERATED_DIR}/user/berthd.socket @ONLY)

foreach(scope system user)
  file(INSTALL DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/systemd/${scope}" TYPE FILE
    FILES ${BERTH_GENERATED_DIR}/${scope}/berthd.service ${BERTH_GENERATED_DIR}/${scope}/berthd.socket)
endforeach()
file(INSTALL DESTINATION "${SYSCONFDIR}/berth" TYPE FILE FILES ${BERTH_SOURCE_DIR}/packaging/berthd.conf)
