BxJ`в╨кB2╛сBByлB
Щ©B:AнBх╟мBM©пB?XтB²╩оBтпB"║╫B%1рBVP╬BцисBcйB╣8хB"©Bu┐бBжцBHeцBуЁцBvЪиB╞сBB┘еB