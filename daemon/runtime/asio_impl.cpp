// The one home of Asio's compiled part.
#include <boost/asio/impl/src.hpp>
