"""Where the exchange is, in a module that takes no time to import."""

REST_URL = "https://fapi.binance.com"
#: Market data have come under `/market` since April 2026; the address of old is silent.
STREAM_URL = "wss://fstream.binance.com/market"
