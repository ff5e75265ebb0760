Bupstream_lossJÑ
»?