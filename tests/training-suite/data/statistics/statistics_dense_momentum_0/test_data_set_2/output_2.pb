Bnew_varianceJá
ç>c	g;ÊD‰A