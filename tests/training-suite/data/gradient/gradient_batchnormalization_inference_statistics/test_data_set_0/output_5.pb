B
d_varianceJHๅ>ฐkพา๒?