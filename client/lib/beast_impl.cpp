// Beast's compiled part for the client library, which must not link the daemon's.
#include <boost/beast/src.hpp>
