// Asio's compiled part for the client library, which must not link the daemon's.
#include <boost/asio/impl/src.hpp>
