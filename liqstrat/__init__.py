"""Backtest strategies around the liquidation levels of Binance USDⓈ-M perpetuals."""

__version__ = "0.1.0"
