Bupstream_lossJŸ
³¿